function harbour
  echo Kiel
