"""OpenPGP: the keys of recipients, and the message that is made for them."""
