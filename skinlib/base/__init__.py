"""The ground floor: settings, the store, whole-or-nothing files, and the runner that does one thing to many photos."""
