(println "before")
(throw (ex-info "the harbour is closed" {:port "Kiel"}))
