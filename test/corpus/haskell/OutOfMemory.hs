module Main (main) where

import Data.Array.Unboxed (UArray, listArray, (!))
import Data.Word (Word8)

main :: IO ()
main = print (kept ! 0)

kept :: UArray Int Word8
kept = listArray (0, 2 ^ (45 :: Int)) (repeat 1)
