"""What is wrong, or worth a look, in a policy that can be read."""
