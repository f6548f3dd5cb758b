"""What every solver of an Instance shares: the base class, the registry, policies, and how decisions rank."""
