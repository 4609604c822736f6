(loop [kept ()]
  (recur (conj kept (byte-array 1048576 (byte 1)))))
