module Main (main) where

main :: IO ()
main = do
  putStrLn "before"
  error "the harbour is closed"
