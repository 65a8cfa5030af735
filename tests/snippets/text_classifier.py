from flyball.models import Sequential  
from flyball.layers import Dropout, Dense  
  
max_words = 10000  
num_classes = 46  
  
model = Sequential()  
model.add(Dense(256, input_shape=(max_words,), activation='relu'))  
model.add(Dropout(0.5))
model.add(Dense(128, activation='relu'))  
model.add(Dropout(0.5))
model.add(Dense(num_classes, activation='softmax'))
