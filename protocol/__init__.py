"""The wire: headers, codec, topics, services, message types, errors. No sockets, no clock, no torch."""
