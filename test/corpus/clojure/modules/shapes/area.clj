(ns shapes.area)

(defn square [side]
  (* side side))

(defn circle [radius]
  (* Math/PI radius radius))
