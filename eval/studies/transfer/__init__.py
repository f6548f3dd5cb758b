"""Transfer: what policies reach on channels that they were not trained on."""
