"""The policy in force as a page for people, so that paper and machine cannot differ."""
