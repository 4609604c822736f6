echo harbour
