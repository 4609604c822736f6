module Main (main) where

import Shapes.Area (Shape (..), area)
import Text.Printf (printf)

main :: IO ()
main = do
  printf "square: %.2f\n" (area (Square 3))
  printf "circle: %.2f\n" (area (Circle 2))
