"""Where messages and questions come in: SMTP, and the admin port."""
