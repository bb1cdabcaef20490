"""The command line's commands, a file for each kind of work. Each imports what it needs when it runs."""
