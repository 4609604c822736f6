print('half', 'half')
