(require '[clojure.string :as string])

(println "Ahoj, světe ✓")
(doseq [line (string/split-lines (slurp *in*))]
  (println (count line) (string/reverse line)))
