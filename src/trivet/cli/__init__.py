"""The command line: parse, one frozen config, a library call, print."""
