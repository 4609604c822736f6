(loop [] (println "harbour") (recur))
