module Main (main) where

main :: IO ()
main = do
  putStrLn "Ahoj, světe ✓"
  interact (unlines . map describe . lines)

describe :: String -> String
describe line = show (length line) ++ " " ++ reverse line
