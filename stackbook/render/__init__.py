"""Plans, proofs and tables as text and as HTML; and what must never be shown."""
