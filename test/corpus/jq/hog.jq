reduce range(40) as $i ("harbour"; . + .) | length
