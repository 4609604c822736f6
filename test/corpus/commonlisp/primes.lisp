(let* ((limit 5000)
       (composite (make-array (1+ limit) :initial-element nil))
       (primes (loop for i from 2 to limit
                     unless (aref composite i)
                       collect i
                       and do (loop for j from (* i i) to limit by i do (setf (aref composite j) t)))))
  (format t "~d primes up to ~d, the last is ~d~%" (length primes) limit (car (last primes))))
