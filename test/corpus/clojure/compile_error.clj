(defn berth [ship]
  (str "berth of " ship)

(println (berth "Gorch Fock"))
