"""Messages sealed and signed for S/MIME (RFC 8551, RFC 5652) as they stream, and the certificates of recipients.

The DER is written by hand, because its lengths stand in front of bytes that are not there yet.
"""
