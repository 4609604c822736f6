(defun harbour (ship)
  (format t "~a~%" ship)
