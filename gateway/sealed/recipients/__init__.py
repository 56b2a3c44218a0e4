"""Where the certificates of recipients come from, and who vouches for them: folders, directories, authorities."""
