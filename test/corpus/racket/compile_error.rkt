#lang racket/base

(displayln harbour)
