package dev.drydock;

/** Where a delivery of a webhook is. */
public enum DeliveryState {
  /** It is being sent, or will be. */
  PENDING,
  /** The receiver took it. */
  DELIVERED,
  /** Every try failed. */
  FAILED,
  /** A value that a newer server has added. */
  UNRECOGNIZED
}
