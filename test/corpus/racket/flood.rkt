#lang racket/base
(let turn ()
  (displayln "harbour")
  (turn))
