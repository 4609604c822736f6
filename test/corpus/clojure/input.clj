(require '[clojure.string :as string])

(let [[total & more] (->> (string/split (slurp *in*) #"\s+") (map parse-long))
      numbers (take total more)
      sum (reduce + numbers)]
  (println "sum:" sum)
  (println "largest:" (apply max numbers))
  (println (format "mean: %.2f" (double (/ sum total)))))
