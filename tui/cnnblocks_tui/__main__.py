from cnnblocks_tui import main

main()
