"""Everything that changes the services' own code: one patch per module, its first line says what, then why."""
