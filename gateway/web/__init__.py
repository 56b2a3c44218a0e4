"""What all our web pages share, whoever reads them."""
