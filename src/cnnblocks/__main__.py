from cnnblocks.cli import main

main()
