"""What the tests of `gateway.sealed.child` run in processes of their own."""
