"""What a user starts: the command line. Parse, call, map errors to exit codes."""
