(let* ((count (read))
       (numbers (loop repeat count collect (read)))
       (sum (reduce #'+ numbers)))
  (format t "sum: ~d~%largest: ~d~%mean: ~,2f~%" sum (reduce #'max numbers) (/ sum count)))
