fn main() {
    loop {
        println!("harbour");
    }
}
