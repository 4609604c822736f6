module Main where

main :: IO ()
main = putStrLn "harbour" >> main
