"""The programs that come with the matrix: their contracts, and the scripts that a contract may need."""
