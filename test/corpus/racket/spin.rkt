#lang racket/base
(let turn () (turn))
