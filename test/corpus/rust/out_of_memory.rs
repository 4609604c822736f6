fn main() {
    // An optimizer may leave out what nobody looks at.
    let kept = std::hint::black_box(vec![1u8; 1 << 45]);
    println!("{}", kept.len());
}
