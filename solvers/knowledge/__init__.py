"""Knowledge that travels: what a teacher knows, made small and sent to who answers by it (GenAINet, III and IV-A)."""
