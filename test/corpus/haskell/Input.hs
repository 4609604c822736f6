module Main (main) where

import Text.Printf (printf)

main :: IO ()
main = do
  (count : rest) <- map read . words <$> getContents
  let numbers = take count rest
  putStrLn ("sum: " ++ show (sum numbers))
  putStrLn ("largest: " ++ show (maximum numbers))
  printf "mean: %.2f\n" (fromIntegral (sum numbers) / fromIntegral count :: Double)
