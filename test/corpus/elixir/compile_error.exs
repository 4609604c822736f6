defmodule Harbour do
  def berth(ship), do: "berth of #{ship}"

IO.puts(Harbour.berth("Gorch Fock"))
