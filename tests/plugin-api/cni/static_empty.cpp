// The floor that the thin client is compared with: a static program that does nothing.
int main() {}
