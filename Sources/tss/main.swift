internal import Commands

run()
