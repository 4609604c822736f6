echo "before"
raise newException(ValueError, "the harbour is closed")
