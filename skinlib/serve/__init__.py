"""From a finished run to an answer for strangers: export, app, page, cards."""
