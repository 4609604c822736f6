println "before"
throw new IllegalStateException("the harbour is closed")
